// Numbers, objects, strings and regular expressions.
const sieve = new Uint8Array(3e6);
let count = 0;
for (let i = 2; i < sieve.length; i++) {
    if (sieve[i]) continue;
    count++;
    for (let j = 2 * i; j < sieve.length; j += i) sieve[j] = 1;
}
const rows = Array.from({ length: 60000 }, (_, i) => ({ id: i, name: `row ${i * 7919 % 60000}` }));
rows.sort((a, b) => a.name < b.name ? -1 : 1);
const text = JSON.stringify(rows);
console.log(count, JSON.parse(text).length, (text.match(/row \d*77\b/g) || []).length);

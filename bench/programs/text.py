"""Regular expressions, dictionaries, JSON and sorting over text that it makes itself."""
import collections
import hashlib
import json
import random
import re

rng = random.Random(1)
words = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randrange(2, 9))) for _ in range(3000)]
text = "\n".join(f"{rng.randrange(256)}.{rng.randrange(256)}.0.1 - [{i}] \"{' '.join(rng.choices(words, k=8))}\"" for i in range(20000))
count = collections.Counter(re.findall(r"[a-z]{3,}", text))
addresses = {m[1]: m[2] for m in re.finditer(r"^(\d+\.\d+\.\d+\.\d+) - \[(\d+)\]", text, re.M)}
table = [{"word": w, "times": n, "at": [i, {"deep": w[::-1]}]} for i, (w, n) in enumerate(sorted(count.items()))]
for _ in range(3):
    table = json.loads(json.dumps(table, sort_keys=True))
table.sort(key=lambda row: (-row["times"], row["word"]))
digest = hashlib.sha256(json.dumps([table, addresses]).encode()).hexdigest()
print(len(count), len(addresses), digest)

-- Bulk insert, an index, joins, aggregates, updates and deletes.
CREATE TABLE item(id INTEGER PRIMARY KEY, kind INTEGER, name TEXT, price REAL);
CREATE TABLE sale(item INTEGER, day INTEGER, number INTEGER);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
  INSERT INTO item SELECT i, i * 7919 % 101, printf('item-%06d-%x', i * 104729 % 60013, i), (i * 31 % 997) / 7.0 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
  INSERT INTO sale SELECT i * 48271 % 60000 + 1, i % 365, i % 5 + 1 FROM n;
COMMIT;
CREATE INDEX sale_item ON sale(item);
CREATE INDEX item_name ON item(name);
SELECT kind, count(*), round(sum(number * price), 3) FROM item JOIN sale ON item = id GROUP BY kind ORDER BY 3 DESC LIMIT 5;
SELECT day % 12, max(price), count(DISTINCT kind) FROM sale JOIN item ON item = id WHERE name LIKE '%7%' GROUP BY 1 ORDER BY 1;
UPDATE item SET price = price * 1.1 WHERE kind IN (SELECT kind FROM item GROUP BY kind HAVING avg(price) > 71);
DELETE FROM sale WHERE day > 300 AND item % 3 = 0;
SELECT count(*), round(sum(price), 3), max(name) FROM item;
SELECT count(*), sum(number) FROM sale;

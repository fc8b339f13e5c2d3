-- An sqlite3 job: bulk inserts, indices, joins, updates, deletes, window functions, text.
-- The caller first makes a table `scale(n)`; n = 10 takes about a second. Prints aggregates only.
PRAGMA page_size = 4096;
PRAGMA cache_size = -65536;
CREATE TABLE supplier(id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE item(id INTEGER PRIMARY KEY, supplier_id INTEGER, label TEXT, price REAL, body BLOB);
CREATE TABLE sale(id INTEGER PRIMARY KEY, item_id INTEGER, day INTEGER, amount INTEGER);

BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO supplier SELECT i, 'supplier ' || (i * 7919 % 1009), 'city' || (i * 31 % 40) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
                       WHERE i < (SELECT n * 2000 FROM scale))
INSERT INTO item
SELECT i, 1 + i * 104729 % 500, printf('item-%x-%d', i * 2654435761 % 4294967296, i % 17),
       (i * 7907 % 100000) / 100.0, zeroblob(i % 300) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
                       WHERE i < (SELECT n * 12000 FROM scale))
INSERT INTO sale
SELECT i, 1 + i * 15485863 % (SELECT n * 2000 FROM scale), i * 13 % 730, 1 + i * 17 % 9 FROM n;
COMMIT;

CREATE INDEX item_by_label ON item(label);
CREATE INDEX sale_by_item ON sale(item_id, day);
CREATE INDEX sale_by_day ON sale(day);

SELECT 'join', s.city, count(*), sum(x.amount), round(sum(x.amount * i.price), 2)
FROM sale x JOIN item i ON i.id = x.item_id JOIN supplier s ON s.id = i.supplier_id
GROUP BY s.city ORDER BY 5 DESC LIMIT 10;
SELECT 'window', day, total, sum(total) OVER (ORDER BY day ROWS 6 PRECEDING)
FROM (SELECT day, sum(amount) AS total FROM sale GROUP BY day) ORDER BY day LIMIT 10;
SELECT 'text', length(group_concat(label, ',')) FROM item WHERE label LIKE 'item-%a%';
SELECT 'like', count(*) FROM item WHERE label GLOB '*[0-4]-1*' AND upper(label) LIKE '%F%';

BEGIN;
UPDATE item SET label = label || '-' || supplier_id WHERE id % 3 = 0;
DELETE FROM sale WHERE day % 5 = 0;
COMMIT;
SELECT 'after', count(*), sum(amount) FROM sale;
SELECT 'labels', count(DISTINCT substr(label, 1, 9)), max(label) FROM item;
SELECT 'json', length(json_group_array(json_object('id', id, 'label', label))) FROM item;
VACUUM;
PRAGMA integrity_check;

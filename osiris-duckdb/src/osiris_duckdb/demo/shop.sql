-- The shop's database. Everything follows from row numbers by arithmetic, so every shop is the same.

CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    name VARCHAR NOT NULL,
    email VARCHAR UNIQUE,
    country VARCHAR NOT NULL,
    joined DATE NOT NULL
);

INSERT INTO customers
SELECT
    n AS id,
    first_names[1 + n % 12] || ' ' || last_names[1 + (n * 7) % 13] AS name,
    CASE WHEN n % 23 <> 0 THEN 'customer' || n || '@example.com' END AS email,
    ['CZ', 'DE', 'FR', 'JP', 'US', 'BR'][1 + (n * 5) % 6] AS country,
    DATE '2021-03-01' + CAST((n * 37) % 1700 AS INTEGER) AS joined
FROM (
    SELECT
        CAST(range AS INTEGER) AS n,
        ['Zoë', 'Jiří', 'Mário', 'Søren', 'Anaïs', '美咲', 'Łucja', 'Ülo', 'Noor', 'Γιώργος', 'Olga', 'Иван'] AS first_names,
        ['Novák', 'O''Brien', 'García', 'Müller', '田中', 'Dvořáková', 'Çelik', 'Silva', 'Smith', 'Ångström', 'Ó Conaill',
         'Łuczak', 'd''Arc'] AS last_names
    FROM range(1, 6001)
);

CREATE TABLE orders (
    id BIGINT PRIMARY KEY,
    customer_id INTEGER NOT NULL,
    status VARCHAR NOT NULL,
    currency VARCHAR NOT NULL,
    total DECIMAL(12, 2) NOT NULL,
    coupon VARCHAR,
    note VARCHAR,
    placed_at TIMESTAMP WITH TIME ZONE NOT NULL
);

INSERT INTO orders
SELECT
    n AS id,
    CAST(1 + (n * 7919) % 6000 AS INTEGER) AS customer_id,
    ['paid', 'sent', 'sent', 'paid', 'returned', 'sent', 'new'][1 + (n * 11) % 7] AS status,
    ['EUR', 'CZK', 'USD', 'JPY'][1 + (n * 13) % 4] AS currency,
    CAST(5 + (n * 104729) % 250000 / CAST(100 AS DECIMAL(5, 0)) AS DECIMAL(12, 2)) AS total,
    CASE WHEN n % 9 = 0 THEN 'SAVE' || (5 * (1 + n % 4)) END AS coupon,
    CASE WHEN n % 97 = 0 THEN 'Für Oma 🎁, "fragile"' WHEN n % 101 = 0 THEN '' END AS note,
    TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_seconds(n * 223) AS placed_at
FROM range(1, 120001) AS numbers(n);

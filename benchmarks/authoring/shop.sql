-- The shop: six tables. Deterministic; small enough that a run costs milliseconds.
CREATE TABLE customers (id BIGINT PRIMARY KEY, name VARCHAR NOT NULL, email VARCHAR, city VARCHAR, country VARCHAR NOT NULL, vip BOOLEAN NOT NULL, created_at TIMESTAMPTZ NOT NULL);
CREATE TABLE products (sku VARCHAR PRIMARY KEY, title VARCHAR NOT NULL, category VARCHAR NOT NULL, price DECIMAL(10,2) NOT NULL, active BOOLEAN NOT NULL);
CREATE TABLE orders (id BIGINT PRIMARY KEY, customer_id BIGINT NOT NULL, status VARCHAR NOT NULL, total DECIMAL(12,2) NOT NULL, currency VARCHAR NOT NULL, placed_at TIMESTAMPTZ NOT NULL, updated_at TIMESTAMPTZ NOT NULL, note VARCHAR);
CREATE TABLE order_items (order_id BIGINT NOT NULL, line INTEGER NOT NULL, sku VARCHAR NOT NULL, quantity INTEGER NOT NULL, unit_price DECIMAL(10,2) NOT NULL, PRIMARY KEY (order_id, line));
CREATE TABLE payments (payment_id BIGINT PRIMARY KEY, order_id BIGINT NOT NULL, amount DECIMAL(12,2) NOT NULL, method VARCHAR NOT NULL, paid_at TIMESTAMPTZ);
CREATE TABLE shipments (id BIGINT PRIMARY KEY, order_id BIGINT NOT NULL, carrier VARCHAR NOT NULL, shipped_on DATE, delivered_on DATE);
INSERT INTO customers SELECT i, 'Customer ' || i, CASE WHEN i % 7 = 0 THEN NULL ELSE 'c' || i || '@example.org' END, ['Praha','Brno','Wien','Paris','Lisboa'][1 + i % 5], ['CZ','CZ','AT','FR','PT'][1 + i % 5], i % 10 = 0, TIMESTAMPTZ '2025-01-01 00:00:00+00' + INTERVAL (i) HOUR FROM range(1, 201) t(i);
INSERT INTO products SELECT 'SKU-' || lpad(i::VARCHAR, 3, '0'), 'Product ' || i, ['books','toys','garden'][1 + i % 3], (i * 3.5)::DECIMAL(10,2), i % 6 <> 0 FROM range(1, 61) t(i);
INSERT INTO orders SELECT i, 1 + i % 200, ['paid','open','cancelled','shipped'][1 + i % 4], ((i % 90) * 7.25 + 1)::DECIMAL(12,2), ['EUR','CZK'][1 + i % 2], TIMESTAMPTZ '2026-01-01 00:00:00+00' + INTERVAL (i * 13) HOUR, TIMESTAMPTZ '2026-01-02 00:00:00+00' + INTERVAL (i * 13) HOUR, CASE WHEN i % 3 = 0 THEN 'gift' END FROM range(1, 601) t(i);
INSERT INTO order_items SELECT i, l, 'SKU-' || lpad((1 + (i * l) % 60)::VARCHAR, 3, '0'), 1 + (i + l) % 4, (3.5 * (1 + (i * l) % 60))::DECIMAL(10,2) FROM range(1, 601) t(i), range(1, 3) u(l);
INSERT INTO payments SELECT 1000 + i, i, ((i % 90) * 7.25 + 1)::DECIMAL(12,2), ['card','transfer','cash'][1 + i % 3], CASE WHEN i % 4 <> 1 THEN TIMESTAMPTZ '2026-01-01 12:00:00+00' + INTERVAL (i * 13) HOUR END FROM range(1, 601) t(i);
INSERT INTO shipments SELECT i, i, ['DHL','PPL','UPS'][1 + i % 3], DATE '2026-01-03' + (i // 2)::INTEGER, CASE WHEN i % 5 <> 0 THEN DATE '2026-01-06' + (i // 2)::INTEGER END FROM range(1, 501) t(i);

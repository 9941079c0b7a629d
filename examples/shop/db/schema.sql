-- The shop's database. `migrate` runs this with psql before each start, so every statement may be run again.

SELECT 'CREATE DATABASE shop' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'shop') \gexec
\connect shop

SET client_min_messages = warning;

CREATE TABLE IF NOT EXISTS users (
    id    text PRIMARY KEY,
    name  text NOT NULL,
    email text NOT NULL
);

CREATE TABLE IF NOT EXISTS products (
    id          text PRIMARY KEY,
    name        text NOT NULL,
    category    text NOT NULL,
    price_cents integer NOT NULL CHECK (price_cents > 0)
);

CREATE TABLE IF NOT EXISTS orders (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     text NOT NULL REFERENCES users,
    total_cents bigint NOT NULL,
    payment_id  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS order_lines (
    order_id    bigint NOT NULL REFERENCES orders,
    product_id  text NOT NULL REFERENCES products,
    quantity    integer NOT NULL CHECK (quantity > 0),
    price_cents integer NOT NULL,
    PRIMARY KEY (order_id, product_id)
);

INSERT INTO users VALUES
    ('ada',   'Ada Lovelace',    'ada@example.com'),
    ('grace', 'Grace Hopper',    'grace@example.com'),
    ('ken',   'Ken Thompson',    'ken@example.com')
ON CONFLICT (id) DO NOTHING;

INSERT INTO products VALUES
    ('kettle',    'Cast-iron kettle',    'kitchen', 6800),
    ('tea',       'Roasted green tea',   'kitchen',  900),
    ('cups',      'Two tea cups',        'kitchen', 2400),
    ('lantern',   'Paper lantern',       'house',   3200),
    ('chime',     'Wind chime',          'house',   1500),
    ('mat',       'Tatami mat',          'house',   9900),
    ('towel',     'Printed hand towel',  'wear',    1200),
    ('sandals',   'Wooden sandals',      'wear',    4100),
    ('fan',       'Folding fan',         'wear',    1800)
ON CONFLICT (id) DO NOTHING;

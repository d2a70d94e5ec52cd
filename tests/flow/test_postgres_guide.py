"""The guide's two pipelines, PostgreSQL to PostgreSQL, with the built-in configuration and URLs as SQLAlchemy has them."""

import json

import pytest
from postgres import Database

ROWS = 2000


@pytest.fixture
def shop(server, neuron, request):
    """Source and target databases of the guide's tables, and the environment that names them."""
    source, target = Database(server, request.node.name + "_s"), Database(server, request.node.name + "_t")
    source(f"""CREATE TABLE raw_customers (customer_id bigint, name text, email text, registration_date timestamp,
                                           last_activity timestamp, updated_at timestamp);
               INSERT INTO raw_customers SELECT i, 'name ' || i, CASE WHEN i % 50 > 0 THEN 'u' || i || '@x.org' END,
                      '2024-01-01', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC' - i * interval '1 minute'
               FROM generate_series(1, {ROWS}) AS i;
               CREATE TABLE raw_transactions (transaction_id bigint, customer_id bigint, amount numeric(18,2),
                                              product_id text, transaction_date timestamptz);
               INSERT INTO raw_transactions SELECT i, i % 100, i * 1.01, 'p' || i % 7, now() - interval '1 hour'
               FROM generate_series(1, {ROWS}) AS i;
               INSERT INTO raw_transactions SELECT * FROM raw_transactions WHERE transaction_id <= 10""")
    neuron.env = {"SOURCE_DB_URL": source.url.replace("://", "+asyncpg://"),
                  "TARGET_DB_URL": target.url.replace("://", "+psycopg2://"), "NEURON_ID": "n1"}
    return neuron, source, target


def run(neuron, pipeline):
    return neuron.result("etl", pipeline, env=neuron.env)


def test_both_pipelines(shop):
    neuron, source, target = shop
    neuron("init", "--guide")
    assert "is valid" in neuron("validate", "--connect", env=neuron.env).stdout
    customers = run(neuron, "customer_data_etl")
    day = 24 * 60
    assert customers["records_extracted"] in (day - 1, day, day - 2)
    dropped = customers["records_dropped"]["1. drop_nulls"]
    assert customers["inserted"] == customers["records_extracted"] - dropped and dropped >= day // 50 - 1
    sales = run(neuron, "sales_data_etl")
    assert (sales["records_extracted"], sales["inserted"]) == (ROWS + 10, ROWS)
    assert sales["records_dropped"] == {"2. drop_duplicates": 10}
    assert sales["quality_score"] == pytest.approx(100 * ROWS / (ROWS + 10), abs=0.01)
    rows = target.rows("SELECT * FROM processed_sales WHERE transaction_id = 7")
    assert rows[0]["amount_usd"] == 7.07 and rows[0]["record_hash"] and rows[0]["processed_at"]
    types = dict(line.split("|") for line in target(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = 'processed_sales'::regclass AND attnum > 0").splitlines())
    assert types["amount"] == "numeric(18,2)" and types["transaction_date"] == "timestamp with time zone"
    # Again: nothing changed, nothing is written.
    before = target("SELECT string_agg(xmin::text, ',' ORDER BY transaction_id) FROM processed_sales")
    assert run(neuron, "sales_data_etl")["unchanged"] == ROWS
    assert target("SELECT string_agg(xmin::text, ',' ORDER BY transaction_id) FROM processed_sales") == before
    source("UPDATE raw_transactions SET amount = 0.01 WHERE transaction_id = 20")
    again = run(neuron, "sales_data_etl")
    assert (again["updated"], again["inserted"]) == (1, 0)
    assert target("SELECT amount_usd FROM processed_sales WHERE transaction_id = 20") == "0.01"


def test_the_plan_of_the_guide(shop):
    neuron, _, target = shop
    neuron("init", "--guide")
    plan = json.loads(neuron("etl", "sales_data_etl", "--dry-run", "--json", env=neuron.env).stdout)
    assert plan["ddl"][0].startswith('CREATE TABLE "processed_sales"') and "PRIMARY KEY" in plan["ddl"][0]
    assert plan["first_rows"] and target("SELECT to_regclass('processed_sales') IS NULL") == "t"
    neuron("etl", "sales_data_etl", env=neuron.env)
    assert json.loads(neuron("state", "show", "sales_data_etl", env=neuron.env).stdout)["epoch"] == 1

/* The complete neuron of the guide, built in: what runs where there is no configuration file. */
#include "service/setup/configuration.h"
#include "service/setup/sections.h"

static const char HEAD[] =
    "# The complete data processing neuron: two pipelines, a stream with two processors, quality\n"
    "# rules. `neuron run` without a configuration file runs this.\n"
    "neuron:\n"
    "  id: ${NEURON_ID:-data-processor-001}\n"
    "  name: Data Processing Neuron\n"
    "  type: python-data-processor\n"
    "state: ${NEURON_STATE:-sqlite:///neuron-state.db}\n"
    "http: { listen: \"${NEURON_LISTEN:-127.0.0.1:8080}\", token: \"${NEURON_API_TOKEN:-}\" }\n"
    "federation: { url: \"${FEDERATION_URL:-}\", heartbeat: 60s }   # empty: off\n"
    "\n"
    "connections:\n"
    "  source: ${SOURCE_DB_URL:-sqlite:///source.db}\n"
    "  target: ${TARGET_DB_URL:-sqlite:///target.db}\n"
    "  events: kafka://${KAFKA_SERVERS:-localhost:9092}\n";

static const char PIPELINES[] =
    "\n"
    "pipelines:\n"
    "  customer_data_etl:\n"
    "    schedule: \"@hourly\"\n"
    "    retry: { attempts: 12, wait: 5m }\n"
    "    from: source\n"
    "    query: |\n"
    "      SELECT customer_id, name, email, registration_date, last_activity\n"
    "      FROM raw_customers WHERE updated_at > :since\n"
    "    params: { since: { ago: 1d } }            # the last day, bound as a value\n"
    "    steps:\n"
    "      - drop_nulls: all\n"
    "      - drop_duplicates: all\n"
    "      - select: \"*, row_hash(*) AS record_hash, now() AS processed_at\"\n"
    "    to: target\n"
    "    table: processed_customers\n"
    "    mode: upsert\n"
    "    key: [customer_id]\n"
    "    ignore_for_change: [processed_at]\n"
    "  sales_data_etl:\n"
    "    schedule: \"@hourly\"\n"
    "    retry: { attempts: 12, wait: 5m }\n"
    "    from: source\n"
    "    query: |\n"
    "      SELECT transaction_id, customer_id, amount, product_id, transaction_date\n"
    "      FROM raw_transactions WHERE transaction_date > :since\n"
    "    params: { since: { ago: 1d } }\n"
    "    steps:\n"
    "      - drop_nulls: all\n"
    "      - drop_duplicates: all\n"
    "      # There is no exchange_rate here, so that amount_usd is the amount.\n"
    "      - select: |\n"
    "          *, row_hash(*) AS record_hash, now() AS processed_at,\n"
    "          amount AS amount_usd\n"
    "    to: target\n"
    "    table: processed_sales\n"
    "    mode: upsert\n"
    "    key: [transaction_id]\n"
    "    ignore_for_change: [processed_at]\n";

static const char STREAMS[] =
    "\n"
    "streams:\n"
    "  data-events:\n"
    "    from: { topic: data-events, group: data-processor-group }\n"
    "    route_by: type\n"
    "    processors:\n"
    "      user_event:\n"
    "        - where: event_type = 'page_view'\n"
    "          select: |\n"
    "            'user_activity_summary' AS type, user_id, 1 AS event_count,\n"
    "            timestamp AS last_activity, 'page_view' AS activity_type\n"
    "      transaction:\n"
    "        - where: transaction.amount > 10000\n"
    "          select: |\n"
    "            'fraud_alert' AS type, transaction.id AS transaction_id,\n"
    "            transaction.amount AS amount, 85 AS risk_score,\n"
    "            'Large transaction amount' AS reason\n"
    "        - select: |\n"
    "            'transaction_processed' AS type, transaction.id AS transaction_id,\n"
    "            'approved' AS status\n"
    "    unknown: drop\n"
    "    to: { topic: processed-data }\n"
    "    dead_letter: { topic: failed-messages }\n";

static const char QUALITY[] = "\n"
                              "quality:\n"
                              "  processed_customers:\n"
                              "    from: target\n"
                              "    table: processed_customers\n"
                              "    schedule: \"@hourly\"\n"
                              "    min_score: 90\n"
                              "    rules:\n"
                              "      - completeness >= 95\n"
                              "      - uniqueness >= 99\n"
                              "      - consistency >= 90\n"
                              "  processed_sales:\n"
                              "    from: target\n"
                              "    table: processed_sales\n"
                              "    schedule: \"@hourly\"\n"
                              "    min_score: 90\n"
                              "    rules:\n"
                              "      - completeness >= 95\n"
                              "      - uniqueness >= 99\n"
                              "      - consistency >= 90\n";

static bool is_set(const SubstituteFrom *from, const char *name)
{
    const char *value = from->environment(from->arg, name);
    return value && value[0];
}

Status configuration_guide(const SubstituteFrom *from, Buf *out, Err *err)
{
    bool source = !from || is_set(from, "SOURCE_DB_URL");
    bool target = !from || is_set(from, "TARGET_DB_URL");
    bool events = !from || is_set(from, "KAFKA_SERVERS");
    TRY(buf_append(out, str_from(HEAD), err));
    if (source && target) TRY(buf_append(out, str_from(PIPELINES), err));
    if (events) TRY(buf_append(out, str_from(STREAMS), err));
    return target ? buf_append(out, str_from(QUALITY), err) : OK;
}

Status configuration_guide_load(const Registry *registry, const SubstituteFrom *from,
                                Configuration *c, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(1 << 20);
    if (configuration_guide(from, &text, err) != OK) {
        *c = (Configuration){0};
        return FAIL;
    }
    return configuration_parse(registry, STR("the guide's neuron"), buf_str(&text), from, c, err);
}

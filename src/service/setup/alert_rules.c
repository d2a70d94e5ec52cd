/* `alerts:` into rules and receivers; the rules that are on by default. */
#include "service/setup/sections.h"

enum { DEFAULT_RULES = 7, RULES_MAX = 500, RECEIVERS_MAX = 16 };

static void mistake(Configuration *c, const YamlNode *node, Str hint, const char *what)
{
    mistake_add(&c->mistakes, node ? node->line : 0, node ? node->column : 0, hint, "%s", what);
}

/* ---- rules ---- */

typedef struct RuleList {
    AlertRule *items;
    int32_t count;
} RuleList;

static AlertRule *rule_named(const RuleList *rules, Str name)
{
    for (int32_t i = 0; i < rules->count; i++) {
        if (str_eq(rules->items[i].name, name)) return &rules->items[i];
    }
    return NULL;
}

static void rule_remove(RuleList *rules, const AlertRule *rule)
{
    int64_t at = rule - rules->items;
    for (int64_t i = at; i + 1 < rules->count; i++) rules->items[i] = rules->items[i + 1];
    rules->count--;
}

static Status default_rule(Configuration *c, RuleList *rules, AlertRule rule, Err *err)
{
    rule.builtin = true;
    TRY(alert_condition_parse(rule.when, &c->arena, &rule.condition, err));
    rules->items[rules->count++] = rule;
    return OK;
}

static Status default_rules(Configuration *c, RuleList *rules, Err *err)
{
    const AlertThresholdOptions *t = &c->options.alerts.thresholds;
    const int64_t flap_us = INT64_C(300000000);
    Str failing, lag, disk, memory, wait;
    TRY(arena_printf(&c->arena, &failing, err,
                     "increase(neuron_pipeline_failed_attempts_total[%llds]) > %lld",
                     (long long)int64_max(t->within_us / 1000000, 1), (long long)t->failures));
    TRY(arena_printf(&c->arena, &lag, err, "max(neuron_stream_lag_seconds) by (stream) > %g",
                     (double)t->lag_us / 1e6));
    TRY(arena_printf(&c->arena, &disk, err, "neuron_disk_used_ratio > %g", t->disk));
    TRY(arena_printf(&c->arena, &memory, err, "neuron_memory_used_ratio > %g", t->memory));
    TRY(arena_printf(&c->arena, &wait, err, "neuron_runs_wait_seconds > %g",
                     (double)t->wait_us / 1e6));
    AlertRule all[DEFAULT_RULES] = {
        {.name = STR("QualityScoreLow"),
         .severity = STR("warning"),
         .when = STR("neuron_quality_score < neuron_quality_min_score"),
         .summary = STR("The quality score of {dataset} is {value}, below {threshold}.")},
        {.name = STR("PipelineFailing"),
         .severity = STR("critical"),
         .when = failing,
         .summary = STR("The pipeline {pipeline} failed {value} times lately (more than"
                        " {threshold}).")},
        {.name = STR("StreamLag"),
         .severity = STR("warning"),
         .when = lag,
         .keep_us = flap_us,
         .summary = STR("The stream {stream} is {value} s behind (more than {threshold} s).")},
        {.name = STR("DiskFull"),
         .severity = STR("critical"),
         .when = disk,
         .keep_us = flap_us,
         .summary = STR("Of the disk at {mount} {value%} is used (more than {threshold%}).")},
        {.name = STR("MemoryHigh"),
         .severity = STR("critical"),
         .when = memory,
         .keep_us = flap_us,
         .summary = STR("Of the memory {value%} is used (more than {threshold%}).")},
        {.name = STR("RunsWaiting"),
         .severity = STR("warning"),
         .when = wait,
         .keep_us = flap_us,
         .summary = STR("A {kind} has waited {value} s for a worker (more than {threshold} s).")},
        {.name = STR("FederationAway"),
         .severity = STR("warning"),
         .when = STR("neuron_federation_up == 0"),
         .for_us = t->federation_us,
         .summary = STR("The federation takes no heartbeats of this neuron; /health says why.")},
    };
    for (int32_t i = 0; i < DEFAULT_RULES; i++) TRY(default_rule(c, rules, all[i], err));
    return OK;
}

static bool is_label_name(Str name)
{
    bool good = name.len > 0 && !(name.ptr[0] >= '0' && name.ptr[0] <= '9');
    for (int64_t i = 0; i < name.len && good; i++) {
        char ch = name.ptr[i];
        good = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
               ch == '_';
    }
    return good;
}

static Status rule_labels(Configuration *c, const YamlNode *map, AlertRule *rule, Err *err)
{
    if (!map) return OK;
    if (map->kind != YAML_MAP) {
        mistake(c, map, STR("write labels: { team: data }"), "labels must be a map");
        return OK;
    }
    AlertLabel *labels = ARENA_ARRAY(&c->arena, AlertLabel, map->count + 1);
    if (!labels) return err_memory(err);
    for (const YamlNode *at = map->first; at; at = at->next) {
        if (at->kind != YAML_SCALAR || !is_label_name(at->key)) {
            mistake(c, at, STR("letters, digits and _"), "a label is a name with a text");
        } else if (rule->label_count < 8) {
            labels[rule->label_count++] = (AlertLabel){at->key, at->text};
        } else {
            mistake(c, at, STR_NULL, "a rule has at most 8 labels");
        }
    }
    rule->labels = labels;
    return OK;
}

/* The mistake's column is that in the text, where the text stands on one line. */
static void condition_mistake(Configuration *c, const YamlNode *node, const Err *why)
{
    int64_t column = node->column + (node->block ? 0 : why->column - 1 + (node->plain ? 0 : 1));
    mistake_add(&c->mistakes, node->line, column, str_from(why->hint), "%s", why->message);
}

/* What turns nothing off is a name that was misspelt. */
static void rule_unknown(Configuration *c, const RuleList *rules, const AlertRuleOptions *o)
{
    const YamlNode *node = option_node(&o->head, "name");
    Str near = STR_NULL;
    for (int32_t i = 0; i < rules->count && !near.len; i++) {
        near = str_nearest(o->name, &rules->items[i].name, 1);
    }
    if (!node) return;
    mistake_add(&c->mistakes, node->line, node->column, near, "no rule \"%.*s\" to turn off",
                STR_ARG(o->name));
}

static Status own_rule(Configuration *c, RuleList *rules, const AlertRuleOptions *o, Err *err)
{
    AlertRule rule = {.name = o->name,
                      .severity = o->severity,
                      .when = o->when,
                      .summary = o->summary,
                      .for_us = o->for_us,
                      .keep_us = o->keep_us};
    const YamlNode *node = option_node(&o->head, "when");
    AlertRule *same = rule_named(rules, o->name);
    if (same && !same->builtin) {
        mistake(c, option_node(&o->head, "name"), STR("give each rule its own name"),
                "two rules have the same name");
    }
    if (!o->enabled && !node && !same) rule_unknown(c, rules, o);
    if (same) rule_remove(rules, same);
    if (!o->enabled || !o->name.len) return OK;
    if (!node) {
        mistake(c, o->head.node, STR("when: neuron_disk_used_ratio > 85%"),
                "the rule has no condition (when)");
        return OK;
    }
    Err why = {0};
    if (alert_condition_parse(rule.when, &c->arena, &rule.condition, &why) != OK) {
        condition_mistake(c, node, &why);
        return OK;
    }
    TRY(rule_labels(c, o->labels, &rule, err));
    rules->items[rules->count++] = rule;
    return OK;
}

static Status rules_make(Configuration *c, Err *err)
{
    const AlertsOptions *o = &c->options.alerts;
    int32_t own = o->rules.count < RULES_MAX ? o->rules.count : RULES_MAX;
    RuleList rules = {.items = ARENA_ARRAY(&c->arena, AlertRule, DEFAULT_RULES + own)};
    if (!rules.items) return err_memory(err);
    if (o->rules.count > RULES_MAX) {
        mistake(c, option_node(&o->head, "rules"), STR_NULL, "at most 500 rules");
    }
    if (o->defaults) TRY(default_rules(c, &rules, err));
    for (int32_t i = 0; i < own; i++) TRY(own_rule(c, &rules, o->rules.items[i], err));
    c->alerts.rules = rules.items;
    c->alerts.rule_count = rules.count;
    return OK;
}

/* ---- receivers ---- */

static void check_url(Configuration *c, const AlertReceiverOptions *o, const char *key, Str url)
{
    const YamlNode *node = option_node(&o->head, key);
    bool good = str_starts(url, STR("http://")) || str_starts(url, STR("https://"));
    if (!node || good) return;
    mistake(c, node, STR("write it like https://host/path"), "not an http or https address");
}

static Status receiver_make(Configuration *c, const AlertReceiverOptions *o, AlertReceiver *r,
                            Err *err)
{
    const struct {
        const char *key;
        Str url;
        AlertReceiverKind kind;
        bool given;
    } kinds[] = {
        {"webhook", o->webhook, RECEIVER_WEBHOOK, o->webhook.len > 0},
        {"alertmanager", o->alertmanager, RECEIVER_ALERTMANAGER, o->alertmanager.len > 0},
        {"slack", o->slack, RECEIVER_SLACK, o->slack.len > 0},
        {"command", STR_NULL, RECEIVER_COMMAND, o->command.count > 0},
        {"federation", STR_NULL, RECEIVER_FEDERATION, o->federation},
    };
    int32_t given = 0, at = 0;
    for (int32_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].given) at = i;
        given += kinds[i].given;
    }
    if (given != 1) {
        mistake(c, o->head.node, STR("webhook, alertmanager, slack, command or federation"),
                "a receiver is of one kind");
        return OK;
    }
    if (at < 3) check_url(c, o, kinds[at].key, kinds[at].url);
    *r = (AlertReceiver){.name = o->name,
                         .kind = kinds[at].kind,
                         .url = kinds[at].url,
                         .token = o->token,
                         .secret = o->secret,
                         .command = o->command.items,
                         .command_count = o->command.count,
                         .resolved = o->resolved};
    if (r->name.len) return OK;
    int32_t number = c->alerts.receiver_count + 1;
    return arena_printf(&c->arena, &r->name, err, "%s-%d", kinds[at].key, (int)number);
}

static bool has_receiver(const AlertReceiver *receivers, int32_t count, Str name)
{
    for (int32_t i = 0; i < count; i++) {
        if (str_eq(receivers[i].name, name)) return true;
    }
    return false;
}

static Status receivers_make(Configuration *c, Err *err)
{
    const AlertsOptions *o = &c->options.alerts;
    AlertReceiver *receivers = ARENA_ARRAY(&c->arena, AlertReceiver, RECEIVERS_MAX + 1);
    if (!receivers) return err_memory(err);
    if (o->receivers.count > RECEIVERS_MAX) {
        mistake(c, option_node(&o->head, "receivers"), STR_NULL, "at most 16 receivers");
    }
    int32_t *count = &c->alerts.receiver_count;
    for (int32_t i = 0; i < o->receivers.count && *count < RECEIVERS_MAX; i++) {
        const AlertReceiverOptions *given = o->receivers.items[i];
        AlertReceiver r = {0};
        TRY(receiver_make(c, given, &r, err));
        bool off = r.kind == RECEIVER_FEDERATION && c->options.federation.url.len == 0;
        if (!r.name.len || off) continue;
        if (has_receiver(receivers, *count, r.name)) {
            mistake(c, given->head.node, STR("give each its own name"),
                    "two receivers have the same name");
            continue;
        }
        receivers[(*count)++] = r;
    }
    c->alerts.receivers = receivers;
    return OK;
}

static void check_times(Configuration *c)
{
    static const struct {
        const char *key;
        int64_t offset, least_us;
    } TIMES[] = {{"interval", (int64_t)offsetof(AlertsOptions, interval_us), 100000},
                 {"retry", (int64_t)offsetof(AlertsOptions, retry_us), 100000},
                 {"repeat", (int64_t)offsetof(AlertsOptions, repeat_us), 1000000}};
    const AlertsOptions *o = &c->options.alerts;
    for (int32_t i = 0; i < COUNT_OF(TIMES); i++) {
        int64_t us = 0;
        memcpy(&us, (const char *)o + TIMES[i].offset, sizeof us);
        const YamlNode *node = option_node(&o->head, TIMES[i].key);
        if (node && us < TIMES[i].least_us) {
            mistake(c, node, STR("write it like 15s"), "this time is too short");
        }
    }
}

Status alerts_make(Configuration *c, Err *err)
{
    static const Str BY_NAME[] = {{"alertname", 9}};
    const AlertsOptions *o = &c->options.alerts;
    c->alerts = (AlertSettings){
        .group_by = o->group_by.count ? o->group_by.items : BY_NAME,
        .group_by_count = o->group_by.count ? o->group_by.count : 1,
        .interval_us = o->interval_us,
        .group_interval_us = o->group_interval_us,
        .repeat_us = o->repeat_us,
        .retry_us = o->retry_us,
        .external_url = o->external_url,
    };
    check_times(c);
    TRY(rules_make(c, err));
    return receivers_make(c, err);
}

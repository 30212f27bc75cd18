/* train.from: the model that learning goes on from, and what is told of it in what comes of it. */
#include "app/app.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

void app_parent_free(Parent *parent)
{
    model_free(&parent->model);
    json_decref(parent->provenance);
    *parent = (Parent){0};
}

dp_status app_parent_open(App *app, Parent *parent, const Place *place, const ModelConfig *c, Device *device)
{
    char *text = NULL;
    dp_status st = DP_OK;
    if (!c->train.from || !*c->train.from)
        return DP_OK;
    DP_GO(app_open_model_text(app, &parent->model, &text, parent->address, place, c->train.from, device));
    parent->provenance = json_loads(text, 0, NULL);
    st = model_facts(&parent->facts, parent->model);
    DP_GO_ALL(app->comm, st);
done:
    dp_free(&text);
    return st;
}

dp_status app_parent_refuse(const ModelConfig *c, const char *command)
{
    if (!c->train.from || !*c->train.from)
        return DP_OK;
    return dp_fail(DP_ERR_CONFIG, "app-20",
                   "train.from: %s has learned from rows that %s would judge on; leave it out (train.from=)",
                   c->train.from, command);
}

dp_status app_parent_add(dp_digest *content, const Parent *parent)
{
    dp_hash *hash = NULL;
    dp_status st = DP_OK;
    if (!parent->model)
        return DP_OK;
    DP_GO(dp_hash_start(&hash));
    DP_GO(dp_hash_add(hash, content->bytes, sizeof content->bytes));
    DP_GO(dp_hash_add(hash, parent->facts.payload.bytes, sizeof parent->facts.payload.bytes));
    DP_GO(dp_hash_end(&hash, content));
done:
    dp_hash_free(&hash);
    return st;
}

/* The last day of the rows that it learned from; "" where it is not known. */
static const char *trained_to(const Parent *parent)
{
    const char *to = NULL;
    json_unpack(parent->provenance, "{s:{s:{s:{s:s}}}}", "data", "parts", "train", "to", &to);
    return to && strcmp(to, "-") != 0 ? to : "";
}

static bool has_hit_rates(const DataInputs *inputs)
{
    for (int j = 0; j < inputs->n; j++)
        if (inputs->input[j].encode != DATA_PLAIN)
            return true;
    return false;
}

void app_parent_say(const Parent *parent, const Data *data, const dp_log *log)
{
    char payload[DP_DIGEST_HEX], from[32];
    const char *to;
    if (!parent->model)
        return;
    to = trained_to(parent);
    dp_digest_print(payload, &parent->facts.payload);
    dp_say(log, DP_INFO, "from", "%s   %s   payload %.12s", parent->address, parent->facts.shape, payload);
    app_print_day(from, data_facts(data).from[DATA_TRAIN]);
    if (has_hit_rates(model_inputs(parent->model)) && (!*to || strcmp(from, to) <= 0))
        dp_say(
            log, DP_WARN, "from",
            "%s learned from rows up to %s, and train begins on %s: a row that it knows already sees its own label in "
            "the hit rates of its categories, which are those of %s; begin split.train after it",
            parent->address, *to ? to : "a day that is not known", from, parent->address);
}

json_t *app_parent_json(const Parent *parent)
{
    char payload[DP_DIGEST_HEX];
    dp_digest_print(payload, &parent->facts.payload);
    return json_pack("{s:s, s:s, s:I, s:s}", "model", parent->address, "digest", payload, "steps",
                     (json_int_t)model_steps(parent->model), "to", trained_to(parent));
}

void app_parent_add_gains(const Parent *parent, json_t *gains)
{
    const json_t *before = json_object_get(parent->provenance, "gain"), *gain;
    const char *name;
    json_object_foreach((json_t *)before, name, gain)
    {
        json_t *now = json_object_get(gains, name);
        if (json_is_number(now) && json_is_number(gain))
            json_object_set_new(gains, name, json_real(json_number_value(now) + json_number_value(gain)));
    }
}

/* RUN np=1 quick -- every single request for memory may fail while a version is offered, found, listed and verified:
 * the registry stays whole, and the next offer makes good what a dead one left. */
#include "check.h"

#include "forest.h"
#include "registry/registry.h"
#include "starve.h"

static char models[64] = "/tmp/dipper-registry-XXXXXX";
static dp_buf image;
static dp_digest payload;

/* Fine, or out of memory; while starving, a version may also stand there without its line. */
static bool fine(dp_status st, bool may_fail)
{
    if (st == DP_OK)
        return true;
    if (!may_fail || (st != DP_ERR_AGAIN && strcmp(dp_error_last()->id, "registry-04") != 0))
        fail_msg("%s [%s] %s", dp_error_last()->text, dp_error_last()->id, dp_error_last()->trace);
    return false;
}

static void next_model(void)
{
    static int leaf;
    TreesModel m = forest_make(TREES_SYMMETRIC, 3, 2, 2, 3);
    DataInputs inputs = forest_inputs(3, 2);
    m.leaf[0] = ++leaf;
    image.size = 0;
    payload = forest_image(&image, &m, &inputs, "{}");
    data_inputs_free(&inputs);
    trees_model_free(&m);
}

static void begin(void)
{
    char address[REGISTRY_ADDRESS_MAX];
    next_model();
    assert_ok(registry_offer(address, models, "risk", image.data, image.size, &payload));
    next_model();
}

static void offer_and_look(bool may_fail)
{
    char address[REGISTRY_ADDRESS_MAX], path[256];
    RegistryRow *rows = NULL;
    size_t n;
    int64_t acts;
    fine(registry_offer(address, models, "risk", image.data, image.size, &payload), may_fail);
    fine(registry_path(path, sizeof path, address, models, "risk"), may_fail);
    fine(registry_list(&rows, &n, models, NULL), may_fail);
    fine(registry_audit(models, "risk", "export", address, &payload, "{}"), may_fail);
    fine(registry_verify(models, "risk", &acts), may_fail);
    dp_free(&rows);
    if (!may_fail) { /* each round begins with one version and offers the second */
        char command[128];
        snprintf(command, sizeof command, "rm -r '%s/risk'", models);
        assert_int_equal(system(command), 0);
        begin();
    }
}

static void the_registry_stays_whole(void **state)
{
    (void)state;
    char address[REGISTRY_ADDRESS_MAX];
    next_model();
    assert_ok(
        registry_offer(address, models, "risk", image.data, image.size, &payload)); /* there is a model at least */
    next_model();
    assert_true(starve(offer_and_look) > 20);
}

static int make(void **state)
{
    (void)state;
    return mkdtemp(models) ? 0 : -1;
}

static int clean(void **state)
{
    (void)state;
    char command[128];
    dp_buf_free(&image);
    snprintf(command, sizeof command, "rm -r '%s'", models);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_registry_stays_whole)};
    return cmocka_run_group_tests(tests, make, clean);
}

/* RUN np=1 quick -- versions are given once, found by address, and the audit log shows each tampering. */
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/publish.h"
#include "forest.h"
#include "registry/registry.h"

static char models[64];

/* A model that differs by one leaf. */
static dp_digest image_of(dp_buf *image, int leaf)
{
    TreesModel m = forest_make(TREES_SYMMETRIC, 3, 2, 2, 3);
    DataInputs inputs = forest_inputs(3, 2);
    m.leaf[0] = leaf;
    image->size = 0;
    dp_digest payload = forest_image(image, &m, &inputs, "{}");
    data_inputs_free(&inputs);
    trees_model_free(&m);
    return payload;
}

static void offer(const char *name, int leaf, const char *expected)
{
    dp_buf image = {0};
    char address[REGISTRY_ADDRESS_MAX];
    dp_digest payload = image_of(&image, leaf);
    assert_ok(registry_offer(address, models, name, image.data, image.size, &payload));
    assert_string_equal(address, expected);
    dp_buf_free(&image);
}

static void versions_count_up_and_repeat_nothing(void **state)
{
    (void)state;
    char path[256], address[REGISTRY_ADDRESS_MAX];
    RegistryRow *rows;
    size_t n;
    int64_t acts;
    offer("risk", 1, "risk:1");
    offer("risk", 1, "risk:1");
    offer("risk", 2, "risk:2");
    offer("risk", 1, "risk:3"); /* not the newest: a return to it is a new version */
    offer("nii-side-view", 1, "nii-side-view:1");
    assert_ok(registry_path(path, sizeof path, address, models, "risk"));
    assert_string_equal(address, "risk:3");
    assert_int_equal(access(path, R_OK), 0);
    assert_ok(registry_path(path, sizeof path, address, models, "risk:2"));
    assert_string_equal(address, "risk:2");
    assert_ok(registry_list(&rows, &n, models, NULL));
    assert_int_equal(n, 4);
    assert_string_equal(rows[0].name, "nii-side-view");
    assert_int_equal(rows[1].version, 3);
    assert_int_equal(rows[3].version, 1);
    assert_true(rows[1].bytes > 512 && rows[1].made > 0 && rows[1].by[0]);
    dp_free(&rows);
    assert_ok(registry_list(&rows, &n, models, "risk"));
    assert_int_equal(n, 3);
    dp_free(&rows);
    assert_ok(registry_verify(models, "risk", &acts));
    assert_int_equal(acts, 3);
}

static void what_is_not_there_is_named(void **state)
{
    (void)state;
    char path[256], address[REGISTRY_ADDRESS_MAX];
    static const char *const bad[] = {"../risk", "Risk",    "",    "risk:",          "risk:0",
                                      "risk:01", "risk:1x", "a/b", "risk@champion:1"};
    offer("risk", 1, "risk:1");
    assert_fails(registry_path(path, sizeof path, address, models, "rusk"), DP_ERR_NO_INPUT, "registry-02");
    assert_non_null(strstr(dp_error_last()->text, "did you mean 'risk'"));
    assert_fails(registry_path(path, sizeof path, address, models, "risk:7"), DP_ERR_NO_INPUT, "registry-02");
    assert_non_null(strstr(dp_error_last()->text, "risk:1"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(registry_path(path, sizeof path, address, models, bad[i]), DP_ERR_USAGE, "registry-01");
    assert_fails(registry_audit(models, "other", "export", "other:1", NULL, NULL), DP_ERR_NO_INPUT, "registry-06");
    assert_fails(registry_audit(models, "risk", "export", "risk:1", NULL, "not json"), DP_ERR_USAGE, "registry-07");
}

static void links_are_not_followed(void **state)
{
    (void)state;
    char from[256], to[256], path[256], address[REGISTRY_ADDRESS_MAX];
    dp_buf image = {0};
    dp_digest payload = image_of(&image, 5);
    offer("risk", 1, "risk:1");
    snprintf(from, sizeof from, "%s/risk", models);
    snprintf(to, sizeof to, "%s/linked", models);
    assert_int_equal(symlink(from, to), 0);
    assert_int_not_equal(registry_offer(address, models, "linked", image.data, image.size, &payload), DP_OK);
    assert_int_not_equal(registry_path(path, sizeof path, address, models, "linked"), DP_OK);
    snprintf(to, sizeof to, "%s/risk/9.h5", models);
    assert_int_equal(symlink("/etc/passwd", to), 0);
    assert_fails(registry_path(path, sizeof path, address, models, "risk:9"), DP_ERR_NO_INPUT, "registry-02");
    dp_buf_free(&image);
}

/* ---- tampering ---- */

enum { LINES = 12 };

static char *log_read(size_t *size)
{
    char path[256], *text;
    snprintf(path, sizeof path, "%s/risk/audit.jsonl", models);
    assert_ok(dp_read_file(&text, size, path, 1 << 20));
    return text;
}

static void log_write(const char *text, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/risk/audit.jsonl", models);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_int_equal(write(fd, text, size), size);
    assert_int_equal(close(fd), 0);
}

static void found_at(int line)
{
    char words[32];
    int64_t acts;
    assert_fails(registry_verify(models, "risk", &acts), DP_ERR_DATA, "registry-03");
    snprintf(words, sizeof words, "line %d:", line);
    if (!strstr(dp_error_last()->text, words))
        fail_msg("expected %s in: %s", words, dp_error_last()->text);
}

static void each_tampering_is_found_and_its_line_named(void **state)
{
    (void)state;
    size_t size, at[LINES + 1] = {0};
    int64_t acts;
    offer("risk", 1, "risk:1");
    for (int i = 1; i < LINES; i++)
        assert_ok(registry_audit(models, "risk", "export", "risk:1", NULL, "{\"format\":\"onnx\"}"));
    assert_ok(registry_verify(models, "risk", &acts));
    assert_int_equal(acts, LINES);
    char *text = log_read(&size), *changed = NULL;
    assert_ok(dp_new(&changed, 2 * size));
    for (size_t i = 0, line = 1; i < size && line <= LINES; i++)
        if (text[i] == '\n')
            at[line++] = i + 1;
    for (int line = 0; line < LINES; line++) {
        size_t begin = at[line], length = at[line + 1] - begin;
        for (size_t i = 0; i + 1 < length; i++) { /* each byte of the line */
            text[begin + i] ^= 1;
            log_write(text, size);
            text[begin + i] ^= 1;
            found_at(line + 1);
        }
        if (line + 1 == LINES)
            break;
        memcpy(changed, text, begin); /* the line is gone */
        memcpy(changed + begin, text + begin + length, size - begin - length);
        log_write(changed, size - length);
        found_at(line + 1);
        size_t next = at[line + 2] - at[line + 1]; /* swapped with the next one */
        memcpy(changed + begin, text + begin + length, next);
        memcpy(changed + begin + next, text + begin, length);
        memcpy(changed + begin + next + length, text + at[line + 2], size - at[line + 2]);
        log_write(changed, size);
        found_at(line + 1);
        memcpy(changed, text, size); /* said twice */
        memcpy(changed + at[line + 1], text + begin, size - begin);
        log_write(changed, size + length);
        found_at(line + 2);
    }
    log_write(text, 0); /* all of it: then a version stands there that nobody offered */
    assert_fails(registry_verify(models, "risk", &acts), DP_ERR_DATA, "registry-04");
    log_write(text, size);
    assert_ok(registry_verify(models, "risk", &acts));
    dp_free(&text);
    dp_free(&changed);
}

static void files_are_compared_with_their_offers(void **state)
{
    (void)state;
    char one[256], two[256], aside[256];
    int64_t acts;
    offer("risk", 1, "risk:1");
    offer("risk", 2, "risk:2");
    snprintf(one, sizeof one, "%s/risk/1.h5", models);
    snprintf(two, sizeof two, "%s/risk/2.h5", models);
    snprintf(aside, sizeof aside, "%s/risk/aside", models);
    assert_int_equal(rename(one, aside), 0);
    assert_fails(registry_verify(models, "risk", &acts), DP_ERR_DATA, "registry-04");
    assert_non_null(strstr(dp_error_last()->text, "risk:1"));
    assert_int_equal(link(two, one), 0);
    assert_fails(registry_verify(models, "risk", &acts), DP_ERR_DATA, "registry-04");
    assert_non_null(strstr(dp_error_last()->text, "1.h5"));
    assert_int_equal(rename(aside, one), 0);
    assert_ok(registry_verify(models, "risk", &acts));
}

/* ---- writers that die, and many at once ---- */

static void a_dead_writer_is_made_good(void **state)
{
    (void)state;
    char path[256];
    size_t size;
    int64_t acts;
    dp_buf image = {0};
    offer("risk", 1, "risk:1");
    image_of(&image, 2); /* named, but no line yet */
    snprintf(path, sizeof path, "%s/risk", models);
    assert_ok(dp_publish_bytes(path, "2.h5", image.data, image.size, DP_PUBLISH_NEW, NULL));
    assert_fails(registry_verify(models, "risk", &acts), DP_ERR_DATA, "registry-04");
    offer("risk", 2, "risk:2");
    assert_ok(registry_verify(models, "risk", &acts));
    assert_int_equal(acts, 2);
    char *text = log_read(&size); /* half a line of a third act */
    log_write(text, size - 40);
    assert_int_equal(registry_verify(models, "risk", &acts), DP_ERR_DATA);
    offer("risk", 3, "risk:3");
    assert_ok(registry_verify(models, "risk", &acts));
    assert_int_equal(acts, 4); /* offer 1, repair, offer 2 again, offer 3 */
    dp_free(&text);
    dp_buf_free(&image);
}

static void many_writers_share_no_version(void **state)
{
    (void)state;
    enum { WRITERS = 4, EACH = 10 };
    int64_t acts;
    RegistryRow *rows;
    size_t n;
    for (int w = 0; w < WRITERS; w++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child > 0)
            continue;
        for (int i = 0; i < EACH; i++) {
            dp_buf image = {0};
            char address[REGISTRY_ADDRESS_MAX];
            dp_digest payload = image_of(&image, 1000 * w + i);
            if (registry_offer(address, models, "risk", image.data, image.size, &payload) != DP_OK)
                _exit(1);
            dp_buf_free(&image);
        }
        _exit(0);
    }
    for (int w = 0; w < WRITERS; w++) {
        int how;
        assert_true(wait(&how) > 0);
        assert_int_equal(how, 0);
    }
    assert_ok(registry_verify(models, "risk", &acts));
    assert_int_equal(acts, WRITERS * EACH);
    assert_ok(registry_list(&rows, &n, models, "risk"));
    assert_int_equal(n, WRITERS * EACH);
    dp_free(&rows);
}

static int make(void **state)
{
    (void)state;
    strcpy(models, "/tmp/dipper-registry-XXXXXX");
    return mkdtemp(models) ? 0 : -1;
}

static int clean(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", models);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(versions_count_up_and_repeat_nothing, make, clean),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_named, make, clean),
        cmocka_unit_test_setup_teardown(links_are_not_followed, make, clean),
        cmocka_unit_test_setup_teardown(each_tampering_is_found_and_its_line_named, make, clean),
        cmocka_unit_test_setup_teardown(files_are_compared_with_their_offers, make, clean),
        cmocka_unit_test_setup_teardown(a_dead_writer_is_made_good, make, clean),
        cmocka_unit_test_setup_teardown(many_writers_share_no_version, make, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

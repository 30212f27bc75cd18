/* tests/support/check.h -- what every C test includes first: cmocka in its order, and a few words on top. */
#ifndef DIPPER_TEST_CHECK_H
#define DIPPER_TEST_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/status.h"

/* The call must succeed; otherwise its message is printed. */
#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        if ((call) != DP_OK)                                                                                           \
            fail_msg("%s: %s [%s] %s", #call, dp_error_last()->text, dp_error_last()->id, dp_error_last()->trace);     \
    } while (0)

/* The call must fail with this status and message id. */
#define assert_fails(call, expected_status, expected_id)                                                               \
    do {                                                                                                               \
        assert_int_equal((call), (expected_status));                                                                   \
        assert_string_equal(dp_error_last()->id, (expected_id));                                                       \
    } while (0)

/* From here on "cuda" is the card played by the processor, with its NCCL, unless DIPPER_CUDA_PLUGIN names another
 * plugin. false: a build without a C++ compiler, or under the thread sanitizer, has none. */
static inline bool check_card(void)
{
    const char *card = getenv("DIPPER_CARD");
    if (card && !getenv("DIPPER_CUDA_PLUGIN"))
        setenv("DIPPER_NCCL", getenv("DIPPER_CARD_NCCL"), 1);
    return card && setenv("DIPPER_CUDA_PLUGIN", card, 0) == 0;
}

/* Cards of several ranks meet there, as far as DIPPER_NCCL_RANKS lets them. */
static inline bool check_card_is_played(void)
{
    return check_card() && strcmp(getenv("DIPPER_CUDA_PLUGIN"), getenv("DIPPER_CARD")) == 0;
}

/* Sanitizers take time and memory of their own: figures of both say nothing there. */
#ifdef __has_feature
#define CHECK_HAS(feature) __has_feature(feature)
#else
#define CHECK_HAS(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || CHECK_HAS(address_sanitizer) || CHECK_HAS(thread_sanitizer)
enum { CHECK_SANITIZED = 1 };
#else
enum { CHECK_SANITIZED = 0 };
#endif

#endif

/* Parts of a run: each a folder with a lock, so that groups of ranks take what is free, and a killed one gives it back.
 */
#include "run/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/publish.h"
#include "base/text.h"
#include "run/run_priv.h"

/* Rank 0's part of run_part_open. The lock stays below 0 where another group has the part. */
static dp_status take(Run *part)
{
    char path[RUN_PATH];
    RunPlace place = run_place();
    DP_TRY(run_join(path, part->folder, "checkpoints"));
    DP_TRY(dp_make_folders(path));
    DP_TRY(run_join(path, part->folder, "lock"));
    DP_TRY(run_lock(&part->lock, path, false));
    if (part->lock < 0)
        return DP_OK;
    DP_TRY(run_sign_lock(part->lock, part->folder, place.host));
    dp_publish_sweep(part->folder);
    DP_TRY(run_open_append(&part->metrics, part->folder, "metrics.jsonl"));
    return run_open_append(&part->log, part->folder, "log");
}

static dp_status build(Run *part, const Run *run, const char *name)
{
    char parts[RUN_PATH], folder[RUN_PATH];
    if (!dp_name_is_good(name))
        return dp_fail(DP_ERR_USAGE, "run-08", "a part of a run cannot be named '%.64s'; use a-z, 0-9 and . _ -", name);
    part->record = run->record;
    DP_TRY(run_join(parts, run->folder, "parts"));
    DP_TRY(run_join(folder, parts, name));
    DP_TRY(dp_copy_text(&part->folder, folder));
    return dp_copy_text(&part->of, run->folder);
}

dp_status run_part_open(Run **part, const Run *run, const char *name, const Comm *comm)
{
    dp_status st = DP_OK;
    Run *p = NULL;
    *part = NULL;
    DP_GO_ALL(comm, dp_new(&p, 1));
    p->lock = p->metrics = p->log = -1;
    p->writes = comm_rank(comm) == 0;
    DP_GO_ALL(comm, build(p, run, name));
    DP_GO_ALL(comm, p->writes ? take(p) : DP_OK);
    if (comm_any(comm, p->writes && p->lock < 0))
        run_let_go(&p);
    *part = p;
    return DP_OK;
done:
    run_let_go(&p);
    return st;
}

dp_status run_part_close(Run **part, bool finished, const Comm *comm)
{
    char path[RUN_PATH];
    Run *p = *part;
    dp_status st = DP_OK;
    if (!p)
        return DP_OK;
    if (p->writes && finished && (st = run_join(path, p->folder, "checkpoints")) == DP_OK)
        st = run_remove_tree(path);
    run_let_go(part);
    return comm_agree(comm, st);
}

dp_status run_leave_parts(const Run *run)
{
    return dp_publish_bytes(run->of ? run->of : run->folder, "leave", "", 0, DP_PUBLISH_REPLACE, NULL);
}

RunAsk run_asked_of(Run *run)
{
    char path[RUN_PATH];
    RunAsk asked = run_asked();
    double now = dp_clock_seconds();
    if (!run->of || !run->writes || asked >= RUN_ASK_LEAVE || now - run->looked < 0.5)
        return asked;
    run->looked = now;
    return run_join(path, run->of, "leave") == DP_OK && access(path, F_OK) == 0 ? RUN_ASK_LEAVE : asked;
}

/* Keeps Open MPI's plugins mapped, so that a leak report names them and suppressions match. Only in sanitizer builds.
 */
int dlclose(void *handle);

int dlclose(void *handle)
{
    (void)handle;
    return 0;
}

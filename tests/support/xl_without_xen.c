/*
 * Lets `xl create -n FILE` read a configuration where no hypervisor runs: loaded before Xen's libraries, it answers
 * their first questions (is there a Xen, what can it do, is the store open) as a machine with Xen would. The dry run
 * then parses the file as a whole and prints what it understood.
 */
#include <stddef.h>

static int handle[1024];

#define OPENS(name) \
    void *name(void) { return handle; }
#define SUCCEEDS(name) \
    int name(void) { return 0; }

OPENS(xc_interface_open)
SUCCEEDS(xc_interface_close)
SUCCEEDS(xc_version)
SUCCEEDS(xc_sharing_freed_pages)
SUCCEEDS(xc_sharing_used_frames)

int xc_get_max_cpus(void *interface) { return 64; }
int xc_get_max_nodes(void *interface) { return 1; }

/* struct xen_sysctl_physinfo: threads a core, cores a socket, processors, highest processor, nodes, highest node, kHz,
   capabilities (1 hvm, 2 pv, 8 hap) */
int xc_physinfo(void *interface, unsigned *info)
{
    unsigned answer[] = {1, 4, 4, 3, 1, 0, 2000000, 1 | 2 | 8};
    for (size_t i = 0; i < sizeof answer / sizeof *answer; i++)
        info[i] = answer[i];
    return 0;
}

OPENS(xs_open)
OPENS(xs_daemon_open)
OPENS(xs_domain_open)
SUCCEEDS(xs_close)
SUCCEEDS(xs_daemon_close)

int xs_fileno(void *store) { return -1; }
_Bool xs_watch(void *store, const char *path, const char *token) { return 0; }
void *xs_read(void *store, unsigned transaction, const char *path, unsigned *length) { return NULL; }
void **xs_directory(void *store, unsigned transaction, const char *path, unsigned *count)
{
    if (count)
        *count = 0;
    return NULL;
}

OPENS(xendevicemodel_open)
SUCCEEDS(xendevicemodel_close)
OPENS(xenforeignmemory_open)
void *xenevtchn_open(void *logger, unsigned flags) { return NULL; }
void *xengnttab_open(void *logger, unsigned flags) { return NULL; }

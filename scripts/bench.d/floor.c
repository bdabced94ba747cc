/* The kernel's own price: what `minidock run --rm --net br0 true` asks of it, asked by a program that does nothing
 * else. It makes no firewall rule, keeps no journal and writes no file.
 *
 *     floor run NAME HOSTNIC ADDRESS      namespace, veth, address, route, process with mounts, teardown
 *     floor attach HOSTNIC ADDRESS TIMES  in one namespace: cable in, address, up; cable out; prints both medians in ms
 *
 * The bridge is br0, its address 172.28.0.1/16. Build: cc -O2 -o floor floor.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GATEWAY "172.28.0.1"
#define PREFIX 16

struct message {
    struct nlmsghdr head;
    char body[1024];
};

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void begin(struct message *m, int type, int flags, const void *body, size_t length) {
    memset(m, 0, sizeof *m);
    m->head = (struct nlmsghdr){NLMSG_LENGTH(length), type, NLM_F_REQUEST | NLM_F_ACK | flags, 1, 0};
    memcpy(m->body, body, length);
}

static struct rtattr *put(struct message *m, int type, const void *value, size_t length) {
    struct rtattr *attribute = (struct rtattr *)((char *)m + NLMSG_ALIGN(m->head.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = RTA_LENGTH(length);
    if (length)
        memcpy(RTA_DATA(attribute), value, length);
    m->head.nlmsg_len = NLMSG_ALIGN(m->head.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
    return attribute;
}

static void end(struct message *m, struct rtattr *nest) {
    nest->rta_len = (char *)m + m->head.nlmsg_len - (char *)nest;
}

static void ask(int sock, struct message *m, const char *what) {
    struct message answer;
    if (send(sock, m, m->head.nlmsg_len, 0) < 0 || recv(sock, &answer, sizeof answer, 0) < 0)
        die(what);
    int code = ((struct nlmsgerr *)NLMSG_DATA(&answer.head))->error;
    if (code) {
        errno = -code;
        die(what);
    }
}

static int netlink(void) {
    int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (sock < 0)
        die("socket");
    return sock;
}

static void up(int sock, int index, int on) {
    struct message m;
    struct ifinfomsg body = {.ifi_index = index, .ifi_flags = on ? IFF_UP : 0, .ifi_change = IFF_UP};
    begin(&m, RTM_NEWLINK, 0, &body, sizeof body);
    ask(sock, &m, "link up or down");
}

static void lay_cable(int sock, const char *nic, unsigned master, int guest) {
    struct message m;
    struct ifinfomsg body = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP}, peer = {0};
    begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
    put(&m, IFLA_IFNAME, nic, strlen(nic) + 1);
    put(&m, IFLA_MASTER, &master, 4);
    struct rtattr *info = put(&m, IFLA_LINKINFO, 0, 0);
    put(&m, IFLA_INFO_KIND, "veth", 5);
    struct rtattr *details = put(&m, IFLA_INFO_DATA, 0, 0), *other = put(&m, VETH_INFO_PEER, &peer, sizeof peer);
    put(&m, IFLA_IFNAME, "eth0", 5);
    put(&m, IFLA_NET_NS_FD, &guest, 4);
    end(&m, other);
    end(&m, details);
    end(&m, info);
    ask(sock, &m, "veth");
}

static int settle(int sock, const char *address) { /* in the guest: address, up, default route */
    struct message m;
    struct in_addr own, gateway;
    struct ifinfomsg wanted = {0};
    begin(&m, RTM_GETLINK, 0, &wanted, sizeof wanted);
    put(&m, IFLA_IFNAME, "eth0", 5);
    m.head.nlmsg_flags = NLM_F_REQUEST;
    char answer[16384];
    if (send(sock, &m, m.head.nlmsg_len, 0) < 0 || recv(sock, answer, sizeof answer, 0) < 0)
        die("eth0");
    int index = ((struct ifinfomsg *)NLMSG_DATA((struct nlmsghdr *)answer))->ifi_index;
    inet_pton(AF_INET, address, &own);
    inet_pton(AF_INET, GATEWAY, &gateway);
    struct ifaddrmsg body = {.ifa_family = AF_INET, .ifa_prefixlen = PREFIX, .ifa_index = index};
    begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
    put(&m, IFA_LOCAL, &own, 4);
    put(&m, IFA_ADDRESS, &own, 4);
    ask(sock, &m, "address");
    up(sock, index, 1);
    struct rtmsg route = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT,
                          .rtm_type = RTN_UNICAST};
    begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &route, sizeof route);
    put(&m, RTA_GATEWAY, &gateway, 4);
    ask(sock, &m, "route");
    return index;
}

static int new_namespace(int *sock) { /* its descriptor, and a netlink socket inside */
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (unshare(CLONE_NEWNET))
        die("unshare");
    int guest = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    *sock = netlink();
    if (setns(home, CLONE_NEWNET))
        die("setns");
    return guest;
}

static int container(void *namespace) {
    if (setns(*(int *)namespace, CLONE_NEWNET) || mount(0, "/", 0, MS_REC | MS_SLAVE, 0) ||
        mount("proc", "/proc", "proc", 0, 0) || mount("sysfs", "/sys", "sysfs", MS_RDONLY, 0) ||
        sethostname("floor", 5))
        die("container");
    execlp("true", "true", (char *)0);
    die("true");
    return 1;
}

static void run(const char *name, const char *nic, const char *address) {
    static char stack[65536] __attribute__((aligned(16)));
    char path[256], source[64];
    int inside, outside = netlink(), status, guest = new_namespace(&inside);
    snprintf(path, sizeof path, "/run/netns/%s", name);
    snprintf(source, sizeof source, "/proc/self/fd/%d", guest);
    close(open(path, O_WRONLY | O_CREAT | O_EXCL, 0));
    if (mount(source, path, 0, MS_BIND, 0))
        die(path);
    up(inside, 1, 1);
    lay_cable(outside, nic, if_nametoindex("br0"), guest);
    settle(inside, address);
    int kinds = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC;
    int pid = clone(container, stack + sizeof stack, kinds | CLONE_VFORK | SIGCHLD, &guest);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
        die("clone");
    up(outside, if_nametoindex(nic), 0); /* the rest of the cable dies with the namespace */
    umount2(path, MNT_DETACH);
    unlink(path);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int smaller(const void *a, const void *b) { return *(double *)a < *(double *)b ? -1 : 1; }

static void attach(const char *nic, const char *address, int times) {
    double in[times], out[times];
    int inside, outside = netlink(), guest = new_namespace(&inside);
    unsigned bridge = if_nametoindex("br0");
    for (int i = 0; i < times; i++) {
        double began = now();
        lay_cable(outside, nic, bridge, guest);
        settle(inside, address);
        in[i] = now() - began;
        struct message m;
        struct ifinfomsg body = {.ifi_index = if_nametoindex(nic)};
        began = now();
        begin(&m, RTM_DELLINK, 0, &body, sizeof body);
        ask(outside, &m, "delete");
        out[i] = now() - began;
    }
    qsort(in, times, sizeof *in, smaller);
    qsort(out, times, sizeof *out, smaller);
    printf("%.3f %.3f\n", in[times / 2], out[times / 2]);
}

int main(int argc, char **argv) {
    if (argc == 5 && !strcmp(argv[1], "run"))
        run(argv[2], argv[3], argv[4]);
    else if (argc == 5 && !strcmp(argv[1], "attach"))
        attach(argv[2], argv[3], atoi(argv[4]));
    else
        return 2;
    return 0;
}

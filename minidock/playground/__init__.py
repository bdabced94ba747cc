"""A disposable host: every namespace of its own, an internet of its own, gone with its last process.

    room      its birth: one clone3, and PID 1         ground    its mounts, names and small programs
    uplink    its network, the namespace `internet`    internet  the servers there; `names` is their DNS
    lan       the office LAN beside it, if wanted      dnsmasq   its DHCP server
    wiring    what both networks are made of
    entry     joins it and runs a command              registry  which named ones are alive
    visit     what the CLI asks for                    reaper    what PID 1 becomes

It protects the machine's network from accidents, not from malice: the file system is the machine's own.
"""

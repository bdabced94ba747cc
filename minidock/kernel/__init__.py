"""The only door to netlink, /proc/sys and namespaces; knows nothing of networks or containers."""

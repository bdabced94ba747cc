"""Networks and endpoints to firewall rules; pure."""

"""Probes: looking at packets on a live wire. They observe and never change configuration."""

"""Plans and state to text, tables and JSON; pure."""

"""What main.py draws around every page: the door, the sidebar, and that a tab is behind."""

"""Who a visitor is, what they chose, and how every step of it is kept."""

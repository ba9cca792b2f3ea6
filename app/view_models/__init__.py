"""What each page shows, as plain data: built from fmd_core values, tested without Streamlit."""

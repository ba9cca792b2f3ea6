"""The dashboard: pages on top of fmd_core."""

"""Language models (experimental): scored on published stereotype sets, a little of it taken out, and judged."""

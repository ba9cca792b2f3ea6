"""Taking a bias or an attribute out: controls, curve, evidence, history."""

"""Unlearning below the last layer: the network learns on until every group counts, or twins are answered alike."""

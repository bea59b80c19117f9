"""The chosen networks beside well-known ones, all measured on this device: the paper's Table 3, for the user's own."""

"""The networks: their layers, how they predict, and the device they run on."""

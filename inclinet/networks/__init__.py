"""The networks: their layers, how they are built and saved, how they predict, and the device they run on."""

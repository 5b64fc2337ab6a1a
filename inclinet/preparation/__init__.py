"""From images to stored training batches: prep, compress, split, augment."""

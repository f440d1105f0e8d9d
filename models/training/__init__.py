"""Making weights: synthesised blur, the pool of rendered clips, the loss and the trainer."""

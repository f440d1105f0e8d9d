"""Motion blur out of a video stream: capture -> inference -> output. Never trains."""

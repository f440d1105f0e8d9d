"""Where frames go: implementations of `stream.stages.Sink`."""

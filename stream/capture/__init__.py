"""Where frames come from: implementations of `stream.stages.Source`."""

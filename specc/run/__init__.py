"""What works on an emitted module and data: training, run folders, plots, progress."""

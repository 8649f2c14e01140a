"""What lies on disk, and the arrays that it stands for: raw formats apart from data sets."""

"""harpoon's tests, beside the package and by its names."""

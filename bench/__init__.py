"""Benchmarks: each measures the product beside a control in the same run."""

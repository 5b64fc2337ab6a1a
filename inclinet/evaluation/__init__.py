"""How good predictions are: metrics, error bars, figures and the report."""

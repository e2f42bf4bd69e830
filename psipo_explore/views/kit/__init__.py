"""The parts that all views share: the view, its panel and page, their words and their looks."""

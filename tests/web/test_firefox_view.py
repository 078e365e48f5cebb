"""Pages of the server in Firefox, as in test_firefox.py: rows, typed texts, influence, steering."""
from firefox import browser  # noqa: F401: a fixture
from test_answer_pages import (  # noqa: F401
    made, test_a_row, test_a_typed_text_and_another, test_a_typed_text_is_steered, test_influence, test_rows_of_features_and_searches_are_links, test_steering, test_warnings,
    viewer)

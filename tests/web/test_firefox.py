"""Pages of a file in Firefox: the tests of the other files that need no more than scripts, keys and a pointer. They are skipped, and
counted, where it is absent."""
from firefox import browser  # noqa: F401: a fixture
from test_report import (  # noqa: F401
    hostile, made, test_a_feature_page_has_the_numbers_of_the_files, test_hostile_texts_are_shown_as_they_are, test_hostile_texts_stay_texts, test_keys_alone,
    test_no_requests_and_no_errors, test_texts_are_found, test_the_brush_filters, test_the_family_and_the_partners_of_a_feature, test_the_map_is_that_of_the_run,
    test_the_policy_holds, test_the_table_has_the_numbers_of_the_files, test_the_text_under_the_pointer_is_marked_in_the_histogram, test_words_filter_the_table)

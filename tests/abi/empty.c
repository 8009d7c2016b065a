/* The headers come by -include. */
typedef int winnow_nothing;

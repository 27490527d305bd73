extern int sl_placeholder_package; int sl_placeholder_package;

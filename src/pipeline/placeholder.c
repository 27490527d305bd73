extern int sl_placeholder_pipeline; int sl_placeholder_pipeline;

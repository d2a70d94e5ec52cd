/* Mistakes at nodes of the file, and inside their texts. */
#include "service/setup/mistake_place.h"

void mistake_from(Configuration *c, const YamlNode *node, const Err *err)
{
    mistake_add(&c->mistakes, node->line, node->column, str_from(err->hint), "%s", err->message);
}

/* Where a scalar's text begins in the file: after a quote, or on the line below a | at its first
 * letter. */
void text_place(const Configuration *c, const YamlNode *node, int64_t *ret_line,
                int64_t *ret_column)
{
    *ret_line = node->line;
    *ret_column = node->column + !node->plain;
    if (!node->block) return;
    Str rest = buf_str(&c->text);
    Str line = STR_NULL;
    for (int64_t i = 0; i <= node->line && str_next_part(&rest, '\n', &line); i++) continue;
    int64_t indent = 0;
    while (indent < line.len && line.ptr[indent] == ' ') indent++;
    *ret_line = node->line + 1;
    *ret_column = indent + 1;
}

void mistake_inside(Configuration *c, const YamlNode *node, const Err *err)
{
    int64_t line = node->line, column = node->column;
    if (node->kind == YAML_SCALAR) text_place(c, node, &line, &column);
    if (err->line == 1) column += int64_max(err->column - 1, 0);
    mistake_add(&c->mistakes, line, column, str_from(err->hint), "%s", err->message);
}

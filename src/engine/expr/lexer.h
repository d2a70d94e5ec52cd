/* Tokens of the expression language. */
#ifndef NEURON_LEXER_H
#define NEURON_LEXER_H

#include "engine/expr/tree.h"

typedef enum TokenKind {
    TOKEN_END,
    TOKEN_NAME, /* text as written; quoted names without their quotes */
    TOKEN_INTEGER,
    TOKEN_NUMBER,
    TOKEN_STRING, /* text decoded */
    TOKEN_SYMBOL, /* operator or punctuation */
} TokenKind;

typedef struct Token {
    TokenKind kind;
    Str text;
    int32_t position;
    int32_t end; /* byte after the token */
    bool quoted;
} Token;

typedef struct Lexer {
    Str text;
    int32_t at;
    Arena *arena;
} Lexer;

/* The next token; ERR_EXPRESSION for unclosed quotes and comments, and unknown characters. */
MUST_USE Status lexer_next(Lexer *lexer, Token *ret_token, Err *err);

#endif

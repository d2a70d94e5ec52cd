/* The status page. */
#ifndef NEURON_API_PAGE_H
#define NEURON_API_PAGE_H

extern const char API_PAGE[]; /* made from page.html */

#endif

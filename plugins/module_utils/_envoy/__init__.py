# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Envoy's configuration messages, made from plain data. Private to this collection: it can change at any time.

Each function that generates a message takes `overrides`: fields of that message that an author wrote. `overlay` merges them by one rule:
messages merge field by field, lists and other values replace, null removes, a field of a protobuf oneof removes its alternatives, and
an author's trust in certificates applies alone. `message_types` holds the oneofs, from the descriptors of Envoy's API.
"""

# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program mainstay-backup. Only the standard library, because it must run when little else does."""
